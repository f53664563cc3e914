#pragma once

#include <sys/stat.h>

#include "filetree/fs.hpp"

namespace filetree {

inline Timestamp from_timespec(const timespec& time) noexcept {
    return {time.tv_sec, static_cast<std::uint32_t>(time.tv_nsec)};
}

// What stat(2) tells: nothing of mounts, for which the device stands.
inline Attributes from_stat(const struct stat& in) noexcept {
    Attributes out;
    out.inode = in.st_ino;
    out.device = in.st_dev;
    out.mount_id = in.st_dev;
    out.size = static_cast<std::uint64_t>(in.st_size);
    out.blocks = static_cast<std::uint64_t>(in.st_blocks);
    out.links = in.st_nlink;
#ifdef __APPLE__
    out.atime = from_timespec(in.st_atimespec);
    out.mtime = from_timespec(in.st_mtimespec);
    out.ctime = from_timespec(in.st_ctimespec);
#else
    out.atime = from_timespec(in.st_atim);
    out.mtime = from_timespec(in.st_mtim);
    out.ctime = from_timespec(in.st_ctim);
#endif
    out.mode = in.st_mode;
    out.uid = in.st_uid;
    out.gid = in.st_gid;
    out.special_device = in.st_rdev;
    return out;
}

}  // namespace filetree
