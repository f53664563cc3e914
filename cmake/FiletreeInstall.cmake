# Installs the core as a CMake package: find_package(filetree), then link filetree::report, or a
# room below it.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(rooms GLOBAL PROPERTY FILETREE_ROOMS)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/filetree)

install(DIRECTORY include/filetree DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS ${rooms} EXPORT filetreeTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT filetreeTargets NAMESPACE filetree:: DESTINATION ${package_dir})

configure_package_config_file(cmake/filetreeConfig.cmake.in ${PROJECT_BINARY_DIR}/filetreeConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/filetreeConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/filetreeConfig.cmake
              ${PROJECT_BINARY_DIR}/filetreeConfigVersion.cmake cmake/FindZstd.cmake
        DESTINATION ${package_dir})
